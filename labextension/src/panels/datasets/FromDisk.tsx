import { useState } from 'preact/hooks';
import { isAbort, toApiError } from '../api';
import type { ApiError } from '../api';
import { usePanel } from '../context';
import { t } from '../messages';
import type { DatasetRequest } from '../types';
import { NumberField, TextField } from '../ui/Field';
import { useFetch } from '../ui/hooks';
import { Disclosure } from '../ui/Section';
import { useDebounced } from '../ui/useDebounced';
import { FormEnd, useSubmit } from '../ui/useSubmit';
import type { SourceProps } from './AddDataset';
import { FileForm } from './FileForm';
import { detect } from './rest';
import { useDetected } from './useDetected';

const PAUSE_MS = 350;

const FOLDED = ['name', 'max_rows', 'text_column', 'column'];
const FIELDS = ['path', ...FOLDED];

/** Nothing is at a path, or no file: while it is typed that is no error. */
const leadsNowhere = ({ status, code }: ApiError): boolean =>
  status === 403 || status === 404 || code === 'not_a_file';

/** A folder or file that the server can already read; a file is looked into first. */
export function FromDisk({ onAdded, onClose }: SourceProps) {
  const { store } = usePanel();
  const [path, setPath] = useState('');
  const [name, setName] = useState('');
  const [column, setColumn] = useState('');
  const [rows, setRows] = useState<number | null>(null);
  const typed = useDebounced(path.trim(), PAUSE_MS);
  const looked = useFetch(typed === '' ? null : typed, async signal => {
    try {
      return await detect(store.api, { path: typed }, signal);
    } catch (error) {
      // What is there and cannot be read is said at once.
      if (isAbort(error) || !leadsNowhere(toApiError(error))) {
        throw error;
      }
      return null;
    }
  });
  const there = !looked.loading && typed === path.trim() && typed !== '' ? looked.value : null;
  const problem = typed === path.trim() ? looked.error : null;
  const unreadable = problem && [problem.message, problem.hint].filter(Boolean).join(' ');
  const found = useDetected(there, (options, signal) =>
    detect(store.api, { path: typed, options }, signal)
  );
  const form = useSubmit(async () => {
    const body: DatasetRequest = { source: 'path', path: path.trim() };
    if (found) {
      body.options = found.choice.options;
    }
    const text = found ? found.choice.column : column.trim();
    if (text !== '') {
      body.text_column = text;
    }
    if (name.trim() !== '') {
      body.name = name.trim();
    }
    if (rows !== null) {
      body.max_rows = rows;
    }
    onAdded(await store.addDataset(body));
  }, FIELDS);
  return (
    <>
      <TextField
        label={t('field.path')}
        hint={t(looked.loading ? 'datasets.path.looking' : 'datasets.path.hint')}
        value={path}
        onChange={setPath}
        onEnter={form.submit}
        error={form.errorAt('path') ?? unreadable}
      />
      {found && <FileForm file={found} />}
      <Disclosure title={t('field.more')} open={form.errorAt(...FOLDED) !== null}>
        <div class="jp-mistudio-fields">
          {!found && (
            <TextField
              label={t('field.textColumn')}
              optional
              value={column}
              onChange={setColumn}
              error={form.errorAt('text_column', 'column')}
            />
          )}
          <NumberField
            label={t('field.maxRows')}
            optional
            value={rows}
            onChange={setRows}
            error={form.errorAt('max_rows')}
          />
          <TextField
            label={t('field.name')}
            optional
            value={name}
            onChange={setName}
            error={form.errorAt('name')}
          />
        </div>
      </Disclosure>
      <FormEnd
        form={form}
        action={t('action.add')}
        disabled={path.trim() === '' || found?.busy || Boolean(found?.error)}
        onClose={onClose}
      />
    </>
  );
}
