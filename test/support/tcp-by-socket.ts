/** Makes `'socket'` the default of the option `tcp`: for the project that runs the suites over the public way. */
import { defaults } from '../../src/api/options/options.ts';

defaults.tcp = 'socket';
