import { describe, expect, it } from 'vitest';

import { handleSource, isVariable } from './handle';

describe('handleSource', () => {
  it('opens by id, which never changes, and names the run', () => {
    expect(handleSource({ extraction: 'ext_1', name: 'run 1', variable: 'acts' })).toBe(
      'import mistudio_ext as ms\n\nacts = ms.open("ext_1")  # run 1\nacts'
    );
  });

  it('cannot be led out of its comment or its string', () => {
    const source = handleSource({
      extraction: 'a"b',
      name: 'x\nimport os\r\nos.abort()',
      variable: 'a'
    });
    expect(source).toBe(
      'import mistudio_ext as ms\n\na = ms.open("a\\"b")  # x import os os.abort()\na'
    );
  });
});

describe('isVariable', () => {
  it.each(['acts', '_a1', 'réseau'])('takes %s', name => expect(isVariable(name)).toBe(true));
  it.each(['', '1a', 'a b', 'a;b', 'a.b'])('refuses "%s"', name =>
    expect(isVariable(name)).toBe(false)
  );
});
