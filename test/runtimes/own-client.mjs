// The runtime's own WebSocket, with the server at the URL that is given: prints how the connection ended.
const LARGE = Uint8Array.from({ length: 1_048_576 }, (_, at) => at % 251);

const socket = new WebSocket(process.argv[2]);
socket.binaryType = 'arraybuffer';
socket.onopen = () => socket.send('héllo ✓');
socket.onmessage = ({ data }) => {
  if (typeof data === 'string') {
    console.log(data);
    socket.send(LARGE);
    return;
  }
  const bytes = new Uint8Array(data);
  const isSame = bytes.length === LARGE.length && bytes.every((byte, at) => byte === LARGE[at]);
  console.log(isSame ? 'the same bytes' : 'other bytes');
  socket.close(4001, 'done');
};
socket.onclose = ({ code, wasClean }) => console.log(`closed ${code} ${wasClean ? 'cleanly' : 'uncleanly'}`);
