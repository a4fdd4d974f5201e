import { bytes, integer } from '../lib/format';
import { count, t, tData } from '../messages';
import { CheckField } from '../ui/CheckField';
import { ErrorNote, WarningNote } from '../ui/ErrorNote';
import { SelectField, TextField } from '../ui/Field';
import { Disclosure } from '../ui/Section';
import { spokenDelimiter } from './readAs';
import type { Detection, FileOptions } from './types';
import type { Detected } from './useDetected';

const DELIMITERS = [',', ';', '\t', '|'];
const QUOTINGS = ['standard', 'backslash', 'none'] as const;
const TYPES = ['text', 'integer', 'number'] as const;
type ColumnType = (typeof TYPES)[number];
/** Columns whose type can be chosen here. */
const TYPED = 40;
/** Fields whose errors stand at their controls. */
const AT_FIELDS = ['delimiter', 'encoding', 'quoting', 'types'];
/** Lines with trouble that are named one by one. */
const NAMED = 5;

/** What was found in a file, its first rows, and what may be corrected. */
export function FileForm({ file }: { file: Detected }) {
  const { detection, choice, choose, set, error } = file;
  const errorAt = (field: string): string | null =>
    error?.field === field ? [error.message, error.hint].filter(Boolean).join(' ') : null;
  const names = detection.columns.map(column => column.name);
  const { delimiter } = choice.options;
  const delimited = delimiter !== undefined;
  const found = [detection.format, detection.compression, bytes(detection.bytes)];
  return (
    <div class="jp-mistudio-filefound" data-testid="mistudio-detected" aria-busy={file.busy}>
      <p class="jp-mistudio-hint">
        {t('upload.found', { what: found.filter(Boolean).join(', ') })}
      </p>
      {detection.notes.map(note => (
        <WarningNote key={note} message={note} />
      ))}
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
        {delimited && (
          <SelectField
            label={t('upload.delimiter')}
            value={delimiter ?? ''}
            options={[...new Set([delimiter ?? '', ...DELIMITERS])].map(value => ({
              value,
              label: spokenDelimiter(value)
            }))}
            onChange={value => set({ delimiter: value })}
            error={errorAt('delimiter')}
          />
        )}
        {delimited && (
          <SelectField
            label={t('upload.quoting')}
            value={choice.options.quoting ?? 'standard'}
            options={QUOTINGS.map(value => ({ value, label: tData('quoting', value) }))}
            onChange={quoting => set({ quoting: quoting as FileOptions['quoting'] })}
            error={errorAt('quoting')}
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
      {delimited && <ColumnTypes file={file} error={errorAt('types')} />}
      {error && !AT_FIELDS.includes(error.field ?? '') && <ErrorNote error={error} />}
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

/** What the values of each column are, where they are not what they look like. */
function ColumnTypes({ file, error }: { file: Detected; error: string | null }) {
  const { detection, choice, set } = file;
  const types = choice.options.types ?? {};
  const chosen = Object.keys(types).length;
  const more = detection.columns.length - TYPED;
  const choose = (name: string, type: string): void => {
    const { [name]: _, ...others } = types;
    set({ types: type === '' ? others : { ...others, [name]: type as ColumnType } });
  };
  return (
    <Disclosure
      title={t('upload.types')}
      aside={chosen > 0 ? t('upload.types.chosen', { n: chosen }) : undefined}
      open={error !== null}
    >
      <p class="jp-mistudio-hint">{t('upload.types.hint')}</p>
      {error && <ErrorNote error={{ message: error }} />}
      <div class="jp-mistudio-fields">
        {detection.columns.slice(0, TYPED).map(({ name, kind }) => (
          <SelectField
            key={name}
            label={name}
            value={types[name] ?? ''}
            options={[
              {
                value: '',
                label: types[name]
                  ? t('upload.type.auto')
                  : t('upload.type.found', { kind: tData('upload.type', kind) })
              },
              ...TYPES.map(value => ({ value, label: tData('upload.type', value) }))
            ]}
            onChange={type => choose(name, type)}
          />
        ))}
      </div>
      {more > 0 && <p class="jp-mistudio-hint">{t('upload.types.more', { n: integer(more) })}</p>}
    </Disclosure>
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
