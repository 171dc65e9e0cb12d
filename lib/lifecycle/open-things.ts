/**
 * @module lifecycle/open-things
 *
 * What this environment has open, for health pages, tests and leak hunts. Names hold no secrets.
 */
import { native, type OpenThing } from '../native.js';

export type { OpenThing } from '../native.js';

/** Clients and pools that are open in this environment, oldest first. */
export function openThings(): OpenThing[] {
  return native.openThings();
}
