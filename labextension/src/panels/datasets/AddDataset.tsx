import { useState } from 'preact/hooks';
import { t } from '../messages';
import type { Dataset } from '../types';
import { SelectField } from '../ui/Field';
import { FromDisk } from './FromDisk';
import { FromHub } from './FromHub';
import { FromUpload } from './FromUpload';

export interface SourceProps {
  onAdded: (dataset: Dataset) => void;
  onClose: () => void;
}

const SOURCES = { hub: FromHub, upload: FromUpload, path: FromDisk };

/** The form that brings a dataset: from the Hub, from this computer, or from the server's disk. */
export function AddDataset(props: SourceProps) {
  const [source, setSource] = useState<keyof typeof SOURCES>('hub');
  const Form = SOURCES[source];
  return (
    <div class="jp-mistudio-form jp-mistudio-card" role="group" aria-label={t('datasets.add')}>
      <SelectField
        label={t('source.label')}
        value={source}
        options={[
          { value: 'hub', label: t('source.hub') },
          { value: 'upload', label: t('upload.source') },
          { value: 'path', label: t('source.path') }
        ]}
        onChange={value => setSource(value as keyof typeof SOURCES)}
      />
      <Form {...props} />
    </div>
  );
}
