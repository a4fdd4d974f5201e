import { readFile } from 'node:fs/promises';
import { defineConfig } from 'vitest/config';

/** `import css from './panels.css'` gives the text, as in the bundle. */
const cssAsText = {
  name: 'css-as-text',
  enforce: 'pre',
  async load(id) {
    if (id.endsWith('.css')) {
      return `export default ${JSON.stringify(await readFile(id, 'utf8'))};`;
    }
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
