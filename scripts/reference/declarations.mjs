// An exported name as an entry of a page: its docstring, its members, its signature. TypeScript's own parser reads them.
import { fileURLToPath } from 'node:url';
import { API, SymbolFlags } from 'typescript/unstable/sync';
import { paragraphs } from './markdown.mjs';

/** Reads the project's declarations with TypeScript. `close` ends TypeScript's process. */
export function openProject() {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const api = new API({ cwd: root });
  const [project] = api.updateSnapshot({ openProjects: [`${root}tsconfig.json`] }).getProjects();
  const { checker, program } = project;
  const declarationsOf = (symbol) => symbol.declarations.map((handle) => handle.resolve(project));

  /** The names that a source file exports, each with the symbol that it stands for. */
  function exportsOf(file) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(`${root}${file}`));
    const symbols = checker.getExportsOfModule(module).map((symbol) => {
      const isAlias = symbol.flags & SymbolFlags.Alias;
      return [symbol.name, isAlias ? checker.getAliasedSymbol(symbol) : symbol];
    });
    return new Map(symbols);
  }

  /** The docstring, then what it throws. */
  function docOf(symbol) {
    const throws = checker
      .getJsDocTagsOfSymbol(symbol)
      .filter(({ name }) => name === 'throws')
      .map(
        ({ text }) => `Throws ${typeof text === 'string' ? text : text.map((part) => part.text).join('')}`,
      );
    const text = checker.getDocumentationCommentOfSymbol(symbol).trim();
    return [text, ...throws].filter(Boolean).map(paragraphs).join('\n\n');
  }

  /** The members of an interface or a class that a user may touch: name, declaration, docstring. */
  function membersOf(symbol) {
    const [{ members }] = declarationsOf(symbol);
    return members.flatMap((node) => {
      if (node.name === undefined || node.name.text?.startsWith('#')) return [];
      // What overrides a member of a parent class is described there.
      if (/^override\b/.test(signatureOf(node))) return [];
      // A computed name, such as [Symbol.asyncIterator], has no symbol of its own.
      const member = node.name.text === undefined ? undefined : checker.getSymbolAtLocation(node.name);
      if (member === undefined) return [{ node, doc: commentBefore(node) }];
      const isInternal = checker.getJsDocTagsOfSymbol(member).some(({ name }) => name === 'internal');
      return isInternal ? [] : [{ name: member.name, node, doc: docOf(member) }];
    });
  }

  /** The entry of an exported name. A value without a docstring gets `fallback`. */
  function entryOf(name, symbol, fallback) {
    const nodes = declarationsOf(symbol);
    const [node] = nodes;
    const doc = docOf(symbol);
    const parts = [`## ${name}`, doc];
    if (node.members !== undefined && node.type === undefined) {
      const { text } = node.getSourceFile();
      const parents = node.heritageClauses?.map((clause) => text.slice(clause.pos, clause.end).trim());
      if (parents?.length) parts.push(`\`${parents.join(' ').replace(/\s+/g, ' ')}\``);
      parts.push(membersOf(symbol).map(listItem).join(''));
    } else if (symbol.flags & SymbolFlags.Variable) {
      if (doc === '') parts.push(fallback());
    } else {
      const signatures = nodes.map((each) => signatureOf(each).replace(/(?<=^(async )?function )\w+/, name));
      parts.push(`\`\`\`text\n${signatures.map(unionByLines).join('\n')}\n\`\`\``);
    }
    return parts.filter(Boolean).join('\n\n');
  }

  return { exportsOf, docOf, membersOf, entryOf, close: () => api.close() };
}

/** A declaration up to its body, on one line. */
function signatureOf(node) {
  const { initializer } = node;
  // Of a field that is a function, too, only what stands before the body.
  const body =
    node.body ?? (initializer?.equalsGreaterThanToken ? initializer.equalsGreaterThanToken : undefined);
  const end = body ? body.pos : initializer && node.type ? node.type.end : node.end;
  return node
    .getSourceFile()
    .text.slice(node.getStart(), end)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
    .replace(/^export (declare )?/, '')
    .replace(/\s+/g, ' ')
    .replace(/\(\s+/g, '(')
    .replace(/,?\s+\)/g, ')')
    .replace(/([:=]) \| /g, '$1 ')
    .replace(/;?\s*$/, '');
}

/** A union of objects, such as the events of a machine, gets a line for each. */
const unionByLines = (signature) => signature.replace(/(?: \||(?<==)) (?=\{ readonly type)/g, '\n  | ');

/** The docstring that stands before a declaration. */
function commentBefore(node) {
  const text = node.getSourceFile().text.slice(node.pos, node.getStart());
  const comment = /\/\*\*([\s\S]*?)\*\/\s*$/.exec(text)?.[1] ?? '';
  return paragraphs(comment.replace(/^\s*\* ?/gm, '').trim());
}

function listItem({ node, doc }) {
  const signature = signatureOf(node)
    .replace(/^(?:(?:readonly|override|abstract) )+/, '')
    .replace(/^(?:override )?get (.*?)\(\)/, '$1')
    .replace(/^(\w+) = /, '$1: ');
  const text = doc === '' ? '' : `\n\n  ${doc.replace(/\n(?=.)/g, '\n  ')}`;
  return `- \`${signature}\`${text}\n`;
}
