/**
 * @module dev/suites/bull/target
 *
 * Loaded by mocha before Bull and its tests: `require('ioredis')` answers the module that `TARGET` names.
 */
const Module = require('node:module');

const resolve = Module._resolveFilename;
Module._resolveFilename = function resolveTarget(request, ...rest) {
  return request === 'ioredis' && process.env.TARGET ? process.env.TARGET : resolve.call(this, request, ...rest);
};
