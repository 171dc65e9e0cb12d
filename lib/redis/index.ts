/**
 * @module redis
 *
 * Front door of the feature; every public name of it is exported here.
 */
export {};
