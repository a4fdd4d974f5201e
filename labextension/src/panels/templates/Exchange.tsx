import { useRef } from 'preact/hooks';
import { ApiError } from '../api';
import { usePanel } from '../context';
import { downloadJson } from '../lib/files';
import { t } from '../messages';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { useAction } from '../ui/hooks';
import { exportTemplates, importTemplates } from './api';

interface Props {
  /** There is something to export. */
  some: boolean;
  onSaid: (text: string) => void;
}

async function readJson(file: File): Promise<unknown> {
  try {
    return JSON.parse(await file.text()) as unknown;
  } catch {
    throw new ApiError(t('templates.notJson', { file: file.name }), {
      code: 'not_json',
      hint: t('templates.notJson.hint')
    });
  }
}

/** Templates as a file: for a colleague, or for another machine. */
export function Exchange({ some, onSaid }: Props) {
  const { store } = usePanel();
  const input = useRef<HTMLInputElement>(null);
  const save = useAction(async () =>
    downloadJson('mistudio-templates.json', await exportTemplates(store.api))
  );
  const take = useAction(async (file: File) => {
    const taken = await importTemplates(store.api, await readJson(file));
    taken.forEach(template => store.templates.upsert(template));
    const names = taken.map(template => template.name).join(', ');
    const key = taken.length === 1 ? 'templates.imported.one' : 'templates.imported.other';
    onSaid(t(key, { n: taken.length, names }));
  });
  const error = save.error ?? take.error;
  return (
    <>
      <div class="jp-mistudio-actions">
        <Button busy={take.busy} onClick={() => input.current?.click()}>
          {t('templates.import')}
        </Button>
        {some && (
          <Button busy={save.busy} onClick={() => void save.run()}>
            {t('templates.export')}
          </Button>
        )}
      </div>
      <input
        ref={input}
        type="file"
        accept=".json,application/json"
        hidden
        aria-label={t('templates.import')}
        onChange={event => {
          const file = event.currentTarget.files?.[0];
          // The same file may be chosen again after it was mended.
          event.currentTarget.value = '';
          if (file) {
            void take.run(file);
          }
        }}
      />
      {error && <ErrorNote error={error} onDismiss={() => (save.clear(), take.clear())} />}
    </>
  );
}
