// npm run build:wasm: compiles src/io/wasm/unmask.as.ts and writes the module as text into src/io/wasm/binary.ts.
import { writeFileSync } from 'node:fs';
import asc from 'assemblyscript/asc';

const options = ['--optimizeLevel 3', '--enable simd', '--runtime stub', '--importMemory', '--noAssert'];
let binary;
const { error, stderr } = await asc.main(
  ['src/io/wasm/unmask.as.ts', ...options.join(' ').split(' '), '--outFile', 'unmask.wasm'],
  {
    writeFile(_name, contents) {
      binary = contents;
    },
  },
);
if (error) throw new Error(`${error.message}\n${stderr}`);
const text = Buffer.from(binary).toString('base64');
writeFileSync(
  'src/io/wasm/binary.ts',
  `/** unmask.as.ts, compiled; made by \`npm run build:wasm\`. */\nexport const unmaskModule =\n  '${text}';\n`,
);
