/** Templates as REST gives them. */

/** What a template says about an extraction; model, dataset and name are chosen when it is used. */
export interface TemplateSpec {
  layers?: number[] | string | null;
  hooks: string[];
  layout?: string | null;
  positions?: string | null;
  dtype?: string | null;
  context?: number | null;
  mode?: string | null;
  max_samples?: number | null;
  batch_tokens?: number | null;
  /** Layers of the model that it was made for. */
  n_layers?: number | null;
}

export interface Template {
  id: string;
  name: string;
  description: string;
  favorite: boolean;
  spec: TemplateSpec;
  created_at: string;
  updated_at: string;
}

/** The document of an export. */
export interface TemplateFile {
  kind: string;
  version: number;
  templates: Partial<Template>[];
}
