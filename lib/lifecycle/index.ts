/**
 * @module lifecycle
 *
 * Front door of the feature; every public name of it is exported here.
 */
export {};
