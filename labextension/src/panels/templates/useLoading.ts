import { useState } from 'preact/hooks';
import type { ApiError } from '../api';
import { usePanel } from '../context';
import { t } from '../messages';
import type { Model } from '../types';
import { useAction } from '../ui/hooks';
import { templateFor } from './api';
import { fitted, isOtherDepth, layersOf } from './spec';
import type { Template, TemplateSpec } from './types';

interface Loading {
  start: (template: Template) => void;
  /** A template whose layers mean something else here: the person decides. */
  asking: Template | null;
  answer: (choice: 'depth' | 'exact' | null) => void;
  busy: boolean;
  error: ApiError | null;
  /** What the model does not offer. */
  warning: string;
  done: string;
  clear: () => void;
}

/** Loading a template into the form: fitted to the model at hand, with what was changed. */
export function useLoading(model: Model | null, onApply: (spec: TemplateSpec) => void): Loading {
  const { store } = usePanel();
  const [asking, setAsking] = useState<Template | null>(null);
  const [told, setTold] = useState({ done: '', warning: '' });
  const load = useAction(async (template: Template, byDepth: boolean) => {
    const ready = model?.state === 'ready' ? model : null;
    const spec = ready
      ? await templateFor(store.api, template.id, ready.id, byDepth)
      : template.spec;
    const architecture = ready ? store.architecture(ready.id).peek().value : null;
    const { spec: usable, missing } = fitted(spec, architecture);
    const { name } = template;
    const hooks = missing.join(', ');
    if (usable.hooks.length === 0) {
      setTold({ done: '', warning: t('templates.missing.all', { hooks }) });
      return;
    }
    onApply(usable);
    const [from, to] = [layersOf(template.spec), layersOf(spec)];
    setTold({
      done:
        from !== null && to !== null && from !== to
          ? t('templates.loaded.mapped', { name, from, to })
          : t('templates.loaded', { name }),
      warning: missing.length > 0 ? t('templates.missing', { hooks }) : ''
    });
  });
  const clear = (): void => {
    load.clear();
    setTold({ done: '', warning: '' });
    setAsking(null);
  };
  return {
    start(template) {
      clear();
      if (isOtherDepth(template.spec, model?.n_layers ?? null)) {
        setAsking(template);
      } else {
        void load.run(template, false);
      }
    },
    asking,
    answer(choice) {
      const template = asking;
      setAsking(null);
      if (template && choice) {
        void load.run(template, choice === 'depth');
      }
    },
    busy: load.busy,
    error: load.error,
    ...told,
    clear
  };
}
