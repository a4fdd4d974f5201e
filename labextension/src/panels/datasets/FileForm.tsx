import { bytes } from '../lib/format';
import { count, t } from '../messages';
import { CheckField } from '../ui/CheckField';
import { ErrorNote, WarningNote } from '../ui/ErrorNote';
import { SelectField, TextField } from '../ui/Field';
import type { Detection } from './types';
import type { Detected } from './useDetected';

const DELIMITERS = [',', ';', '\t', '|'];
/** Lines with trouble that are named one by one. */
const NAMED = 5;

/** What was found in a file, its first rows, and what may be corrected. */
export function FileForm({ file }: { file: Detected }) {
  const { detection, choice, choose, set, error } = file;
  const errorAt = (field: string): string | null =>
    error?.field === field ? [error.message, error.hint].filter(Boolean).join(' ') : null;
  const names = detection.columns.map(column => column.name);
  const found = [detection.format, detection.compression, bytes(detection.bytes)];
  return (
    <div class="jp-mistudio-filefound" data-testid="mistudio-detected" aria-busy={file.busy}>
      <p class="jp-mistudio-hint">
        {t('upload.found', { what: found.filter(Boolean).join(', ') })}
      </p>
      <div class="jp-mistudio-fields">
        {names.length > 0 && (
          <SelectField
            label={t('field.textColumn')}
            value={choice.column}
            options={[
              ...(detection.text_column === null
                ? [{ value: '', label: t('upload.column.none') }]
                : []),
              ...names.map(name => ({ value: name, label: name }))
            ]}
            onChange={choose}
          />
        )}
        {choice.options.delimiter !== undefined && (
          <SelectField
            label={t('upload.delimiter')}
            value={choice.options.delimiter}
            options={[...new Set([choice.options.delimiter, ...DELIMITERS])].map(value => ({
              value,
              label: value === '\t' ? t('upload.delimiter.tab') : value
            }))}
            onChange={delimiter => set({ delimiter })}
            error={errorAt('delimiter')}
          />
        )}
        {choice.options.header !== undefined && (
          <CheckField
            label={t('upload.header')}
            checked={choice.options.header}
            onChange={header => set({ header })}
          />
        )}
        {choice.options.encoding !== undefined && (
          <TextField
            label={t('upload.encoding')}
            value={choice.options.encoding}
            onChange={encoding => set({ encoding })}
            error={errorAt('encoding')}
          />
        )}
      </div>
      {error && !errorAt('delimiter') && !errorAt('encoding') && <ErrorNote error={error} />}
      {detection.notes.length > 0 && <WarningNote message={detection.notes.join(' ')} />}
      {detection.problems.length > 0 && (
        <>
          <WarningNote
            message={`${count(detection.problems.length, 'badRow')} ${detection.problems
              .slice(0, NAMED)
              .map(problem => t('upload.badLine', { ...problem }))
              .join(' ')}`}
          />
          <SelectField
            label={t('upload.badRows')}
            value={choice.options.bad_rows ?? 'stop'}
            options={[
              { value: 'stop', label: t('upload.badRows.stop') },
              { value: 'skip', label: t('upload.badRows.skip') },
              { value: 'keep', label: t('upload.badRows.keep') }
            ]}
            onChange={value => set({ bad_rows: value as 'stop' | 'skip' | 'keep' })}
          />
        </>
      )}
      <Rows detection={detection} column={choice.column} />
    </div>
  );
}

function Rows({ detection, column }: { detection: Detection; column: string }) {
  const names = detection.columns.map(each => each.name);
  if (detection.preview.length === 0) {
    return null;
  }
  return (
    <div class="jp-mistudio-filerows" tabIndex={0} role="region" aria-label={t('upload.preview')}>
      <table class="jp-mistudio-table">
        <thead>
          <tr>
            {names.map(name => (
              <th key={name} scope="col" aria-current={name === column || undefined}>
                {name}
                {name === column && ` (${t('upload.isText')})`}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {detection.preview.map((row, index) => (
            <tr key={index}>
              {names.map(name => (
                <td key={name}>{short(row[name])}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A value in a cell; what is longer is cut, what is no text is written as JSON. */
export function short(value: unknown, most = 120): string {
  if (value === null || value === undefined) {
    return '';
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > most ? text.slice(0, most).trimEnd() + '…' : text;
}
