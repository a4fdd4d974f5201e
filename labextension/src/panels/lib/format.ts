/** Numbers, sizes and times as a person reads them. */

const UNKNOWN = '–';

function known(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** 1234567 → "1,234,567". */
export function integer(value: number | null | undefined): string {
  return known(value) ? Math.round(value).toLocaleString('en') : UNKNOWN;
}

/** 3212000 → "3.21 M"; three significant digits. */
export function compact(value: number | null | undefined): string {
  if (!known(value)) {
    return UNKNOWN;
  }
  const units = ['', ' k', ' M', ' B', ' T'];
  let index = 0;
  let rest = Math.abs(value);
  while (rest >= 999.5 && index < units.length - 1) {
    rest /= 1000;
    index += 1;
  }
  return (value < 0 ? '-' : '') + digits(rest, index === 0 && Number.isInteger(rest)) + units[index];
}

/** 12582912 → "12.6 MB" (decimal units, as disks are sold and as Lab shows them). */
export function bytes(value: number | null | undefined): string {
  if (!known(value)) {
    return UNKNOWN;
  }
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let index = 0;
  let rest = Math.max(0, value);
  while (rest >= 999.5 && index < units.length - 1) {
    rest /= 1000;
    index += 1;
  }
  return `${digits(rest, index === 0)} ${units[index]}`;
}

function digits(value: number, whole: boolean): string {
  if (whole) {
    return String(Math.round(value));
  }
  return String(Number(value.toPrecision(3)));
}

/** 0.4 → "under 1 s"; 75 → "1 min 15 s"; 7300 → "2 h 2 min". */
export function duration(seconds: number | null | undefined): string {
  if (!known(seconds)) {
    return UNKNOWN;
  }
  if (seconds < 1) {
    return 'under 1 s';
  }
  const whole = Math.round(seconds);
  const parts: [number, string][] = [
    [Math.floor(whole / 86400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's']
  ];
  const first = parts.findIndex(([n]) => n > 0);
  return parts
    .slice(first, first + 2)
    .filter(([n], index) => index === 0 || n > 0)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(' ');
}

/** 0.0123 → "1.2 %". */
export function percent(share: number | null | undefined): string {
  if (!known(share)) {
    return UNKNOWN;
  }
  const value = share * 100;
  if (value > 0 && value < 0.1) {
    return 'under 0.1 %';
  }
  return `${value >= 99.95 || value === 0 ? Math.round(value) : Number(value.toPrecision(2))} %`;
}

/** A measured quantity: three significant digits, exponent only where it helps. */
export function quantity(value: number | null | undefined): string {
  if (!known(value)) {
    return UNKNOWN;
  }
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e5 || size < 1e-3)) {
    return value.toExponential(1);
  }
  return String(Number(value.toPrecision(3)));
}

/** Local date and time of an ISO string; the year only where it is not this one. */
export function when(iso: string | null | undefined, now = new Date()): string {
  const time = new Date(iso ?? NaN);
  if (Number.isNaN(time.getTime())) {
    return UNKNOWN;
  }
  return time.toLocaleString(undefined, {
    year: time.getFullYear() === now.getFullYear() ? undefined : 'numeric',
    month: 'short',
    day: 'numeric',
    hour: 'numeric',
    minute: '2-digit'
  });
}

/** Seconds between two ISO strings, or null. */
export function secondsBetween(
  from: string | null | undefined,
  to: string | null | undefined
): number | null {
  const span = (to ? Date.parse(to) : NaN) - (from ? Date.parse(from) : NaN);
  return Number.isNaN(span) ? null : Math.max(0, span / 1000);
}

/** [100, 192] → "100 × 192". */
export function shape(dims: readonly number[]): string {
  return dims.map(n => n.toLocaleString('en')).join(' × ');
}
