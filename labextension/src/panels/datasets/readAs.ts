/** How a file is read, in words. */

import { t, tData } from '../messages';
import type { FileOptions } from './types';

/** A delimiter as a person writes it. */
export function spokenDelimiter(mark: string): string {
  return mark === '\t' ? t('upload.delimiter.tab') : mark;
}

/** "csv · delimiter ; · cp1252 · first row names the columns"; null where nothing is known. */
export function readAs(options: Partial<FileOptions> | null | undefined): string | null {
  if (!options) {
    return null;
  }
  const { format, delimiter, encoding, header, quoting, types, bad_rows } = options;
  const typed = Object.entries(types ?? {}).map(([name, type]) =>
    t('readAs.type', { name, type: tData('upload.type', type) })
  );
  const parts = [
    format,
    delimiter && t('readAs.delimiter', { mark: spokenDelimiter(delimiter) }),
    encoding,
    header !== undefined && t(header ? 'readAs.header' : 'readAs.noHeader'),
    quoting && quoting !== 'standard' && t('readAs.quoting', { how: tData('quoting', quoting) }),
    ...typed,
    bad_rows && bad_rows !== 'stop' && tData('readAs.badRows', bad_rows)
  ].filter(Boolean);
  return parts.length > 0 ? parts.join(' · ') : null;
}
