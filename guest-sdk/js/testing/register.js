// For `node --import ./pointsman/testing/register.js --test`: `pointsman` is this folder, without an installation.

import { register } from 'node:module';

register('./hooks.js', import.meta.url);
