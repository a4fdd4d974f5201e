import { useState } from 'preact/hooks';
import { usePanel } from '../context';
import { downloadJson } from '../lib/files';
import { t } from '../messages';
import { Button } from '../ui/Button';
import { Confirm } from '../ui/Confirm';
import { ErrorNote } from '../ui/ErrorNote';
import { useAction } from '../ui/hooks';
import { NameForm } from '../ui/NameForm';
import { changeTemplate, deleteTemplate, exportTemplates } from './api';
import { describe } from './spec';
import type { Template } from './types';

interface Props {
  template: Template;
  busy: boolean;
  onLoad: () => void;
}

/** One template: its name loads it; a star, a new name, a file, and the end. */
export function TemplateRow({ template, busy, onLoad }: Props) {
  const { store } = usePanel();
  const [doing, setDoing] = useState<'rename' | 'delete' | null>(null);
  const { id, name, favorite } = template;
  const change = async (body: { name?: string; favorite?: boolean }): Promise<void> =>
    store.templates.upsert(await changeTemplate(store.api, id, body));
  const favour = useAction(() => change({ favorite: !favorite }));
  const save = useAction(async () =>
    downloadJson(`${name}.json`, await exportTemplates(store.api, id))
  );
  const remove = useAction(async () => {
    await deleteTemplate(store.api, id);
    store.templates.remove(id);
  });
  const error = favour.error ?? save.error ?? remove.error;
  return (
    <li class="jp-mistudio-row">
      <div class="jp-mistudio-row-head">
        <Button
          kind="quiet"
          icon="star"
          class={favorite ? 'jp-mistudio-mod-favourite' : undefined}
          label={t('templates.favourite', { name })}
          pressed={favorite}
          busy={favour.busy}
          onClick={() => void favour.run()}
        />
        <button
          type="button"
          class="jp-mistudio-row-name"
          aria-label={t('templates.load', { name })}
          aria-disabled={busy || undefined}
          onClick={onLoad}
        >
          {name}
        </button>
        <span class="jp-mistudio-row-tools" role="group" aria-label={t('templates.more')}>
          <Button
            kind="quiet"
            icon="edit"
            label={t('rename.named', { name })}
            expanded={doing === 'rename'}
            onClick={() => setDoing(doing === 'rename' ? null : 'rename')}
          />
          <Button
            kind="quiet"
            icon="download"
            label={t('templates.exportOne', { name })}
            busy={save.busy}
            onClick={() => void save.run()}
          />
          <Button
            kind="quiet"
            icon="trash"
            label={t('action.deleteNamed', { name })}
            onClick={() => setDoing('delete')}
          />
        </span>
      </div>
      <div class="jp-mistudio-row-meta">{describe(template)}</div>
      {doing === 'rename' && (
        <NameForm
          label={t('rename.label')}
          name={name}
          onSave={to => change({ name: to })}
          onClose={() => setDoing(null)}
        />
      )}
      {error && (
        <ErrorNote error={error} onDismiss={() => [favour, save, remove].forEach(a => a.clear())} />
      )}
      {doing === 'delete' && (
        <Confirm
          question={t('templates.delete', { name })}
          action={t('action.delete')}
          busy={remove.busy}
          onConfirm={() => void remove.run()}
          onCancel={() => setDoing(null)}
        />
      )}
    </li>
  );
}
