// Small pieces of Markdown.

/** Joins the lines of each paragraph into one. An indented paragraph is preformatted: it becomes a code block. */
export const paragraphs = (text) =>
  text
    .split(/\n\s*?\n/)
    .map((part) =>
      /^ {2}/.test(part)
        ? `\`\`\`text\n${part.replace(/^ {2}/gm, '')}\n\`\`\``
        : part.replace(/\s*\n\s*/g, ' '),
    )
    .join('\n\n');

const cell = (text) => String(text).replace(/\n+/g, ' ').replaceAll('|', '\\|');
export const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

export const code = (text) => (text ? `\`${text}\`` : '');

/** A page: its title, what comes before the entries, and the entries. */
export const page = (title, intro, entries) =>
  `${[
    '<!-- Made from the source by `npm run reference`; edit the docstrings there. -->',
    `# ${title}`,
    intro,
    ...entries,
  ]
    .filter(Boolean)
    .map((part) => part.trim())
    .join('\n\n')}\n`;
