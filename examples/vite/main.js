import { greeting } from './greeting.js';

const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/echo`);
socket.onopen = () => socket.send(greeting);
socket.onmessage = ({ data }) => {
  document.querySelector('#said').textContent = data;
};

import.meta.hot?.accept('./greeting.js', (module) => socket.send(module.greeting));
