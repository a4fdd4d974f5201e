import { useEffect, useRef } from 'preact/hooks';
import { t } from '../messages';
import type { Model } from '../types';
import { Button } from '../ui/Button';
import { useUid } from '../ui/hooks';
import type { Template } from './types';

interface Props {
  template: Template;
  model: Model;
  onAnswer: (choice: 'depth' | 'exact' | null) => void;
}

/** A template made for a model of another depth: what its layers should mean here. */
export function DepthQuestion({ template, model, onAnswer }: Props) {
  const id = useUid('depth');
  const first = useRef<HTMLButtonElement>(null);
  useEffect(() => first.current?.focus(), []);
  return (
    <div
      class="jp-mistudio-confirm"
      role="alertdialog"
      aria-labelledby={id}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          onAnswer(null);
        }
      }}
    >
      <div id={id}>
        {t('templates.otherDepth', {
          name: template.name,
          from: template.spec.n_layers ?? 0,
          to: model.n_layers ?? 0,
          model: model.name
        })}
      </div>
      <div class="jp-mistudio-actions">
        <Button kind="primary" buttonRef={first} onClick={() => onAnswer('depth')}>
          {t('templates.map')}
        </Button>
        <Button onClick={() => onAnswer('exact')}>{t('templates.exact')}</Button>
        <Button kind="quiet" onClick={() => onAnswer(null)}>
          {t('action.cancel')}
        </Button>
      </div>
    </div>
  );
}
