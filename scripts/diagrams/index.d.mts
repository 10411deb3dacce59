/** All that `npm run diagrams` writes, as text by path from the root of the repository. */
export function drawDiagrams(machines: {
  connection: { config: object };
  server: { config: object };
  link: { config: object };
}): Promise<Map<string, string>>;
