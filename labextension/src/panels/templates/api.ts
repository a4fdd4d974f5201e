/** Requests about templates. */

import type { Api } from '../api';
import type { Template, TemplateFile, TemplateSpec } from './types';

const at = (id: string): string => `templates/${encodeURIComponent(id)}`;

export async function listTemplates(api: Api): Promise<Template[]> {
  return (await api.request<{ templates: Template[] }>('GET', 'templates')).templates;
}

export function createTemplate(
  api: Api,
  body: { name?: string; spec: TemplateSpec }
): Promise<Template> {
  return api.request('POST', 'templates', { body });
}

export function changeTemplate(
  api: Api,
  id: string,
  body: Partial<Pick<Template, 'name' | 'favorite'>>
): Promise<Template> {
  return api.request('PATCH', at(id), { body });
}

export function deleteTemplate(api: Api, id: string): Promise<unknown> {
  return api.request('DELETE', at(id));
}

/** A template's spec for a model; `byDepth` moves its layers to the same relative depth. */
export async function templateFor(
  api: Api,
  id: string,
  model: string,
  byDepth: boolean
): Promise<TemplateSpec> {
  const query = { model, by_depth: byDepth ? 1 : null };
  return (await api.request<Template>('GET', at(id), { query })).spec;
}

export function exportTemplates(api: Api, id?: string): Promise<TemplateFile> {
  return api.request('GET', 'templates/export', { query: { id } });
}

export async function importTemplates(api: Api, file: unknown): Promise<Template[]> {
  const answer = await api.request<{ templates: Template[] }>('POST', 'templates/import', {
    body: file
  });
  return answer.templates;
}
