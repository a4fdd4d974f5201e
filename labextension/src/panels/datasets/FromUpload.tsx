import { useEffect, useRef, useState } from 'preact/hooks';
import { isAbort } from '../api';
import { usePanel } from '../context';
import { bytes } from '../lib/format';
import { t } from '../messages';
import type { DatasetRequest } from '../types';
import { Button } from '../ui/Button';
import { ErrorNote } from '../ui/ErrorNote';
import { TextField } from '../ui/Field';
import { useAction, useUid } from '../ui/hooks';
import { Progress } from '../ui/Progress';
import type { SourceProps } from './AddDataset';
import { FileForm } from './FileForm';
import { detect } from './rest';
import { discard, remember, remembered, upload } from './upload';
import type { Sent } from './upload';
import type { Upload } from './types';
import { useDetected } from './useDetected';

const KINDS = '.csv,.tsv,.json,.jsonl,.txt,.parquet,.arrow,.gz,.zst';

/** A file of this computer: sent in pieces, looked into, confirmed, imported. */
export function FromUpload({ onAdded, onClose }: SourceProps) {
  const { store } = usePanel();
  const [file, setFile] = useState<File | null>(null);
  const [sent, setSent] = useState<Sent | null>(null);
  const [arrived, setArrived] = useState<Upload | null>(null);
  const [name, setName] = useState('');
  const running = useRef<AbortController | null>(null);
  // What is under way ends with the form; what arrived stays on the server for a week.
  useEffect(() => () => running.current?.abort(), []);

  const found = useDetected(arrived?.detection ?? null, (options, signal) =>
    detect(store.api, { upload: arrived?.id, options }, signal)
  );

  const send = useAction(async (chosen: File) => {
    const controller = new AbortController();
    running.current = controller;
    try {
      const done = await upload(store.api, chosen, {
        signal: controller.signal,
        onProgress: setSent,
        resume: remembered(chosen),
        onBegun: id => remember(chosen, id)
      });
      setArrived(done);
    } catch (error) {
      if (!isAbort(error)) {
        throw error;
      }
    }
  });
  const start = (chosen: File | undefined): void => {
    if (chosen) {
      setFile(chosen);
      setSent(null);
      setArrived(null);
      void send.run(chosen);
    }
  };
  const forget = (): void => {
    running.current?.abort();
    const id = arrived?.id ?? (file && remembered(file));
    if (file) {
      remember(file, null);
    }
    if (id) {
      // The server clears up by itself what cannot be told now.
      discard(store.api, id).catch(() => undefined);
    }
    setFile(null);
    setSent(null);
    setArrived(null);
    send.clear();
  };
  const add = useAction(async () => {
    if (!arrived || !file) {
      return;
    }
    const body: DatasetRequest = { source: 'upload', upload: arrived.id };
    if (found) {
      body.options = found.choice.options;
      if (found.choice.column !== '') {
        body.text_column = found.choice.column;
      }
    }
    if (name.trim() !== '') {
      body.name = name.trim();
    }
    const dataset = await store.addDataset(body);
    remember(file, null);
    onAdded(dataset);
  });
  const left = sent?.rate && file ? (file.size - sent.sent) / sent.rate : null;
  return (
    <>
      {!file && <DropZone onFile={start} />}
      {file && (
        <div class="jp-mistudio-uploadfile">
          <span>
            {file.name} · {bytes(file.size)}
          </span>
          <Button
            kind="quiet"
            icon="cross"
            label={t('upload.forget', { name: file.name })}
            onClick={forget}
          />
        </div>
      )}
      {file && !arrived && send.busy && (
        <Progress
          label={t('upload.sending', { name: file.name })}
          done={sent?.sent ?? 0}
          total={file.size}
          unit="bytes"
          rate={sent?.rate}
          eta={left}
        />
      )}
      {send.error && file && <ErrorNote error={send.error} onRetry={() => start(file)} />}
      {arrived?.problem && <ErrorNote error={arrived.problem} />}
      {found && (
        <>
          <FileForm file={found} />
          <TextField
            label={t('field.name')}
            optional
            value={name}
            onChange={setName}
            error={add.error?.field === 'name' ? add.error.message : null}
          />
        </>
      )}
      {add.error && add.error.field !== 'name' && <ErrorNote error={add.error} />}
      <div class="jp-mistudio-actions">
        <Button
          kind="primary"
          busy={add.busy}
          disabled={!found || found.busy || found.error !== null}
          onClick={() => void add.run()}
        >
          {t('upload.import')}
        </Button>
        <Button onClick={onClose}>{t('action.close')}</Button>
      </div>
    </>
  );
}

/** A place to drop a file, and a button for those who choose. */
function DropZone({ onFile }: { onFile: (file: File | undefined) => void }) {
  const [over, setOver] = useState(false);
  const id = useUid('file');
  return (
    <div
      class={`jp-mistudio-drop${over ? ' jp-mistudio-mod-over' : ''}`}
      onDragOver={event => {
        event.preventDefault();
        event.stopPropagation();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={event => {
        event.preventDefault();
        event.stopPropagation();
        setOver(false);
        onFile(event.dataTransfer?.files[0]);
      }}
    >
      <label for={id}>{t('upload.choose')}</label>
      <input
        id={id}
        type="file"
        accept={KINDS}
        onChange={event => onFile(event.currentTarget.files?.[0])}
      />
      <p class="jp-mistudio-hint">{t('upload.kinds')}</p>
    </div>
  );
}
