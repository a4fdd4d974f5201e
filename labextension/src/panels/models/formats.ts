import type { Option } from '../ui/Field';

/** Formats that a model can be loaded in; technical terms, the same in every language. */
export const FORMATS: readonly Option[] = [
  { value: 'fp32', label: 'fp32 (32-bit)' },
  { value: 'bf16', label: 'bf16 (16-bit)' },
  { value: 'fp16', label: 'fp16 (16-bit)' },
  { value: 'q8', label: 'q8 (8-bit)' },
  { value: 'q4', label: 'q4 (4-bit)' },
  { value: 'q2', label: 'q2 (2-bit)' }
];

/** What a request says of a format: nothing for the first, which is that of the files. */
export function formatOf(format: string): { format?: string } {
  return format === 'fp32' ? {} : { format };
}
