/** The names that playwright-core's types take from a browser's: without lib "dom", whose globals (name, status, event) hide mistakes. */
type Node = object;
type HTMLElement = object;
type SVGElement = object;
type HTMLElementTagNameMap = object;
