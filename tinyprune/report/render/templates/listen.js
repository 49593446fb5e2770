{
  const players = [...document.querySelectorAll("audio")];
  for (const player of players) {
    player.addEventListener("play", () => {
      for (const other of players) {
        if (other === player || other.paused) continue;
        if (other.closest("figure") === player.closest("figure")) player.currentTime = other.currentTime;
        other.pause();
      }
    });
  }
}
