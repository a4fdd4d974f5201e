import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

/** `import css from './panels.css'` gives the text, as in the bundle. */
const cssAsText = {
  name: 'css-as-text',
  enforce: 'pre',
  resolveId(source, importer) {
    return source.endsWith('.css') ? `\0${resolve(dirname(importer), source)}.js` : null;
  },
  async load(id) {
    if (id.startsWith('\0') && id.endsWith('.css.js')) {
      const text = await readFile(id.slice(1, -'.js'.length), 'utf8');
      return `export default ${JSON.stringify(text)};`;
    }
    return null;
  }
};

export default defineConfig({
  plugins: [cssAsText],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}']
  }
});
