import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/preact';
import { useState } from 'preact/hooks';
import { afterEach, expect, test, vi } from 'vitest';
import { PanelContext } from '../context';
import type { Panel } from '../context';
import type { HubResult } from '../types';
import { HubSearch } from '../ui/HubSearch';

afterEach(cleanup);

function found(...ids: string[]): HubResult[] {
  return ids.map(repo_id => ({
    repo_id,
    downloads: 0,
    likes: 0,
    gated: false,
    private: false,
    updated_at: null,
    tags: [],
    pipeline_tag: null
  }));
}

/** The field over a Hub that answers when the test says so: `answer` ends the last search. */
function searchField(): {
  field: HTMLElement;
  searched: string[];
  answer: (results: HubResult[]) => void;
  onPick: ReturnType<typeof vi.fn>;
} {
  const searched: string[] = [];
  let answer: (results: HubResult[]) => void = () => undefined;
  const hubSearch = (_kind: string, query: string): Promise<HubResult[]> => {
    searched.push(query);
    return new Promise(resolve => {
      answer = resolve;
    });
  };
  const panel = { store: { api: { hubSearch } } } as unknown as Panel;
  const onPick = vi.fn();
  const Form = () => {
    const [value, setValue] = useState('');
    return <HubSearch kind="models" value={value} onChange={setValue} onPick={onPick} />;
  };
  render(
    <PanelContext.Provider value={panel}>
      <Form />
    </PanelContext.Provider>
  );
  return {
    field: screen.getByRole('combobox'),
    searched,
    answer: results => answer(results),
    onPick
  };
}

const options = (): (string | null)[] =>
  screen
    .queryAllByRole('option')
    .map(option => option.querySelector('.jp-mistudio-hubname')!.textContent);

/** The field when these words were typed, and one repository was found. */
async function foundOne(words: string): Promise<ReturnType<typeof searchField>> {
  const form = searchField();
  fireEvent.focus(form.field);
  fireEvent.input(form.field, { target: { value: words } });
  await waitFor(() => expect(form.searched).toEqual([words]));
  form.answer(found('demo/own-code'));
  await waitFor(() => expect(options()).toEqual(['demo/own-code']));
  return form;
}

test('what was pointed at stays so while the list is fetched anew', async () => {
  const { field, searched, answer, onPick } = await foundOne('demo/ow');

  fireEvent.input(field, { target: { value: 'demo/own' } });
  fireEvent.keyDown(field, { key: 'ArrowDown' });
  await waitFor(() => expect(searched).toEqual(['demo/ow', 'demo/own']));
  answer(found('demo/own', 'demo/own-code'));
  await waitFor(() => expect(options()).toEqual(['demo/own', 'demo/own-code']));
  expect(screen.getByRole('option', { selected: true }).textContent).toContain('demo/own-code');
  fireEvent.keyDown(field, { key: 'Enter' });
  expect(onPick).toHaveBeenCalledExactlyOnceWith('demo/own-code');
});

test('an arrow has the last answer while the next one is awaited', async () => {
  const { field, searched, onPick } = await foundOne('demo/ow');

  fireEvent.input(field, { target: { value: 'demo/own' } });
  await waitFor(() => expect(searched).toHaveLength(2));
  fireEvent.keyDown(field, { key: 'ArrowDown' });
  fireEvent.keyDown(field, { key: 'Enter' });
  expect(onPick).toHaveBeenCalledExactlyOnceWith('demo/own-code');
});

test('what is typed on is not what was pointed at', async () => {
  const { field, onPick } = await foundOne('demo');
  fireEvent.keyDown(field, { key: 'ArrowDown' });
  fireEvent.input(field, { target: { value: 'demo/other' } });
  fireEvent.keyDown(field, { key: 'Enter' });
  expect(onPick).toHaveBeenCalledExactlyOnceWith('demo/other');
});
