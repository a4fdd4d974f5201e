import { LabIcon } from '@jupyterlab/ui-components';

/** A residual stream with three blocks that read from it and write to it. */
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16">
  <g class="jp-icon3" fill="none" stroke="#616161" stroke-width="1.4" stroke-linecap="round">
    <path class="jp-icon3" stroke="#616161" d="M4 14.5V1.8"/>
    <path class="jp-icon3" stroke="#616161" stroke-linejoin="round" d="M2.2 3.6 4 1.6l1.8 2"/>
    <path class="jp-icon3" stroke="#616161" d="M4 5.2h4.4M4 8.6h4.4M4 12h4.4"/>
  </g>
  <g class="jp-icon3" fill="#616161">
    <circle cx="11" cy="5.2" r="1.5"/>
    <circle cx="11" cy="8.6" r="1.5"/>
    <circle cx="11" cy="12" r="1.5"/>
  </g>
</svg>`;

/** The miStudio icon of sidebar, launcher and palette. */
export const mistudioIcon = new LabIcon({ name: 'mistudio:icon', svgstr: SVG });
