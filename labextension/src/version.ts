/** Version of the front end; the packaging tests keep it equal to the Python package's. */
export const VERSION = '0.1.0';
