// Counts the seconds down that the access token is good for. Without it, the page says how many there were when it was made.
const left = document.getElementById('left');
if (left) {
  const end = performance.now() + Number(left.dataset.seconds) * 1000;
  const show = () => {
    const seconds = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    left.textContent =
      seconds === 0 ? left.dataset.over : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
    if (seconds === 0) clearInterval(timer);
  };
  const timer = setInterval(show, 250);
}
