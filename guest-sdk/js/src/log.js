import { log } from '#host';

export const trace = (message) => write('trace', message);
export const debug = (message) => write('debug', message);
export const info = (message) => write('info', message);
export const warn = (message) => write('warn', message);
export const error = (message) => write('error', message);

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'];

export function write(level, message) {
  if (!LEVELS.includes(level)) throw new TypeError(`log: \`${level}\` is none of ${LEVELS.join(', ')}`);
  log.write(level, String(message).toWellFormed());
}
