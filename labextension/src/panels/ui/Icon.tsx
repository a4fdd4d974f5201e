/** Line icons on a 16 × 16 grid, in the colour of the text. */

const PATHS = {
  activations:
    'M2.5 3.5h3v3h-3ZM6.5 3.5h3v3h-3ZM10.5 3.5h3v3h-3ZM2.5 9.5h3v3h-3ZM10.5 9.5h3v3h-3ZM7.2 11h1.6',
  add: 'M8 3v10M3 8h10',
  alert: 'M8 2.2 14.4 13.4H1.6ZM8 6.4v3.2M8 11.3v.5',
  back: 'M9.5 3.5 5 8l4.5 4.5',
  check: 'M3.2 8.6 6.5 12l6.3-7.6',
  chevron: 'M6 3.8 10.2 8 6 12.2',
  clock: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2ZM8 5v3.2l2.2 1.5',
  copy: 'M5.5 5.5h7.3v7.3H5.5ZM3.2 10.5V3.2h7.3',
  cross: 'M4 4l8 8M12 4l-8 8',
  dash: 'M3.5 8h9',
  datasets:
    'M3 4.2c0-1 2.2-1.8 5-1.8s5 .8 5 1.8-2.2 1.8-5 1.8-5-.8-5-1.8ZM3 4.2v7.6c0 1 2.2 1.8 5 1.8s5-.8 5-1.8V4.2M3 8c0 1 2.2 1.8 5 1.8s5-.8 5-1.8',
  extract: 'M8 2.5v7M5 6.7l3 3 3-3M2.8 10.5v2.8h10.4v-2.8',
  jobs: 'M2.8 4h1.4M2.8 8h1.4M2.8 12h1.4M6.5 4h6.7M6.5 8h6.7M6.5 12h6.7',
  monitor: 'M1.8 8.5h3l1.7-5 3 9 1.7-4h3',
  models: 'M8 2.3 13.5 5 8 7.7 2.5 5ZM2.5 8 8 10.7 13.5 8M2.5 11 8 13.7 13.5 11',
  download: 'M8 2.5v7.2M4.8 6.7 8 9.9l3.2-3.2M3 13.2h10',
  edit: 'M3 13l.7-2.9 7-7 2.2 2.2-7 7ZM9.5 4.3l2.2 2.2',
  kernel: 'M2.5 3.5h11v9h-11ZM5 6.2 7 8l-2 1.8M8.5 10h2.5',
  search: 'M7 2.8a4.2 4.2 0 1 0 0 8.4 4.2 4.2 0 0 0 0-8.4ZM10.2 10.2l3.3 3.3',
  star: 'M8 2.2 9.8 6l4.1.5-3 2.9.8 4.1L8 11.4l-3.7 2.1.8-4.1-3-2.9L6.2 6Z',
  stop: 'M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2ZM4 12 12 4',
  trash: 'M3 4.5h10M6.2 4.5V3h3.6v1.5M4.4 4.5l.6 8.5h6l.6-8.5M6.8 7v3.6M9.2 7v3.6'
} as const;

export type IconName = keyof typeof PATHS | 'spinner';

/** Decoration: the text beside it, or the label of its button, says what it means. */
export function Icon({ name }: { name: IconName }) {
  if (name === 'spinner') {
    return <span class="jp-mistudio-spinner" aria-hidden="true" />;
  }
  return (
    <svg class="jp-mistudio-icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
