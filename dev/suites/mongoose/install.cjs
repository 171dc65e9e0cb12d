/**
 * @module dev/suites/mongoose/install
 *
 * Loaded into the mocha process before Mongoose's tests: installs mooring into the checkout's Mongoose, and into every `new Mongoose()`, which starts with
 * what `lib/driver` holds. Nothing of the checkout is changed on disk.
 */
'use strict';
const { join } = require('node:path');

const folder = process.env['MOORING_MONGOOSE_DIR'];
const mongoose = require(join(folder, 'index.js'));
const { useMooring } = require('../../../dist/mongo/mongoose.js');

useMooring(mongoose);
require(join(folder, 'lib', 'driver.js')).set(mongoose.__driver);
