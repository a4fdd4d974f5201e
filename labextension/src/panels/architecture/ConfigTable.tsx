import { useMemo, useState } from 'preact/hooks';
import { t } from '../messages';
import { TextField } from '../ui/Field';

/** {a: {b: 1}} → [["a.b", "1"]]. */
export function flattenConfig(config: Record<string, unknown>, prefix = ''): [string, string][] {
  return Object.entries(config).flatMap(([key, value]): [string, string][] => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    if (value && typeof value === 'object' && !Array.isArray(value)) {
      return flattenConfig(value as Record<string, unknown>, path);
    }
    return [[path, typeof value === 'string' ? value : JSON.stringify(value)]];
  });
}

/** The model's configuration, searchable by key and by value. */
export function ConfigTable({ config }: { config: Record<string, unknown> }) {
  const [query, setQuery] = useState('');
  const rows = useMemo(() => flattenConfig(config), [config]);
  const needle = query.trim().toLowerCase();
  const shown = rows.filter(row => row.some(text => text.toLowerCase().includes(needle)));
  return (
    <div class="jp-mistudio-config">
      <TextField
        label={t('architecture.config.search')}
        type="search"
        value={query}
        onChange={setQuery}
      />
      {shown.length === 0 ? (
        <p class="jp-mistudio-hint">{t('architecture.config.none')}</p>
      ) : (
        <table class="jp-mistudio-table">
          <tbody>
            {shown.map(([key, value]) => (
              <tr key={key}>
                <th scope="row">
                  <code>{key}</code>
                </th>
                <td>
                  <code>{value}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
