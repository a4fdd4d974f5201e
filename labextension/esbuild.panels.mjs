// Bundles the panels (src/panels) into one ES module that the sidebar and notebook cells share.
//
// npm packages: preact, @preact/signals (in the bundle); esbuild (this script);
// vitest, happy-dom, typescript (checks).
//
//   node esbuild.panels.mjs            build once
//   node esbuild.panels.mjs --watch    rebuild on change, with a source map

import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const outdir = join(here, '..', 'mistudio_ext', 'static');
const watch = process.argv.includes('--watch');

/** Writes a file so that a server reading it at the same time never sees half of it. */
async function writeAtomic(path, content) {
  await writeFile(`${path}.tmp`, content);
  await rename(`${path}.tmp`, path);
}

/** `import css from './panels.css'` gives the minified text. */
const inlineCss = {
  name: 'inline-css',
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async args => {
      const source = await readFile(args.path, 'utf8');
      const { code } = await esbuild.transform(source, { loader: 'css', minify: !watch });
      return { contents: code, loader: 'text', watchFiles: [args.path] };
    });
  }
};

/** The content hash is the cache key: static files are served as immutable. */
const emit = {
  name: 'emit',
  setup(build) {
    build.onEnd(async result => {
      if (result.errors.length > 0) {
        return;
      }
      await mkdir(outdir, { recursive: true });
      const [file] = result.outputFiles;
      const hash = createHash('sha256').update(file.contents).digest('hex').slice(0, 16);
      await writeAtomic(join(outdir, 'panels.js'), file.contents);
      await writeAtomic(
        join(outdir, 'manifest.json'),
        JSON.stringify({ 'panels.js': { hash } }, null, 2) + '\n'
      );
      const kb = bytes => (bytes / 1000).toFixed(1) + ' kB';
      const size = gzipSync(file.contents).length;
      console.log(`panels.js ${kb(file.contents.length)}, ${kb(size)} gzipped, ${hash}`);
      if (!watch && size > 150_000) {
        throw new Error('The panels bundle is over its limit of 150 kB gzipped.');
      }
    });
  }
};

const options = {
  entryPoints: [join(here, 'src', 'panels', 'index.tsx')],
  outfile: join(outdir, 'panels.js'),
  bundle: true,
  write: false,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  minify: !watch,
  sourcemap: watch ? 'inline' : false,
  legalComments: 'none',
  plugins: [inlineCss, emit]
};

if (watch) {
  const context = await esbuild.context(options);
  await context.watch();
} else {
  await esbuild.build(options);
}
