'use client';

import { useEffect, useState } from 'react';

export default function Page() {
  const [said, setSaid] = useState('…');
  useEffect(() => {
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/echo`);
    socket.onopen = () => socket.send('This page and this message came through one port.');
    socket.onmessage = ({ data }) => setSaid(data);
    return () => socket.close();
  }, []);
  return <p>{said}</p>;
}
