// ws on Node, as its own documentation has it.
//
//	node ws.mjs echo|broadcast|large|compress unix:PATH | tcp:PORT

import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const [mode, address] = process.argv.slice(2);
const http = createServer();
const server = new WebSocketServer({
  server: http,
  clientTracking: mode === 'broadcast',
  perMessageDeflate: mode === 'compress' && {
    serverNoContextTakeover: true,
    clientNoContextTakeover: true,
    threshold: 0,
  },
});

server.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data, binary) => {
    if (mode === 'broadcast') {
      for (const client of server.clients) client.send(data, { binary });
    } else {
      socket.send(data, { binary });
    }
  });
});

if (address.startsWith('unix:')) {
  http.listen({ path: address.slice(5), backlog: 4096 });
} else {
  http.listen({ port: Number(address.slice(4)), host: '127.0.0.1', backlog: 4096 });
}
