// Writes locale/mistudio.pot: every text of the panels and of the lab extension, for translators.
//
//   npm run texts
//
// A language pack for JupyterLab (domain "mistudio") made from it translates sidebar and cells.

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));

/** The panels' texts: one vocabulary, by key. */
async function panelTexts() {
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(here, 'src', 'panels', 'messages.ts')],
    bundle: true,
    write: false,
    format: 'esm'
  });
  const url =
    'data:text/javascript;base64,' + Buffer.from(outputFiles[0].contents).toString('base64');
  const { translateAll } = await import(url);
  const texts = [];
  translateAll(text => (texts.push(text), text));
  return texts;
}

/** The lab extension's texts, as its sources have them in `trans.__('…')`. */
async function labTexts() {
  const folder = join(here, 'src');
  const files = (await readdir(folder)).filter(name => /(?<!\.test)\.ts$/.test(name));
  const sources = await Promise.all(files.map(name => readFile(join(folder, name), 'utf8')));
  const call = /trans\.__\(\s*'((?:[^'\\]|\\.)*)'/g;
  return sources.flatMap(source =>
    [...source.matchAll(call)].map(match => match[1].replace(/\\'/g, "'"))
  );
}

const texts = [...new Set([...(await labTexts()), ...(await panelTexts())])].sort();
const header = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n';
const entries = texts.map(text => `msgid ${JSON.stringify(text)}\nmsgstr ""\n`);
await mkdir(join(here, 'locale'), { recursive: true });
await writeFile(join(here, 'locale', 'mistudio.pot'), [header, ...entries].join('\n'));
console.log(`locale/mistudio.pot: ${texts.length} texts`);
