/** esbuild takes style sheets that a module imports into the page's one. */
declare module '*.css';
