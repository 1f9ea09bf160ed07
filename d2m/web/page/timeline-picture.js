// The picture behind the timeline: outline of the music, the dancer's energy, beats and bar lines, the loop.

/** Draw it on a canvas that has its size by style. */
export function paint(canvas, studio, player) {
  const { plan, heardPiece: piece, heardPlan } = studio;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!plan || !width) return;
  const ratio = Math.min(devicePixelRatio || 1, 16000 / width);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(name).trim();
  const across = (time) => (time / plan.duration) * width;
  const top = 22;
  const middle = top + (height - top) / 2;
  const tall = (height - top) / 2 - 3;
  if (player.looping && player.range) {
    context.fillStyle = colour("--wave-loop");
    context.fillRect(across(player.range[0]), 0, across(player.range[1] - player.range[0]), height);
  }
  for (const [index, time] of plan.tempo.beats.entries()) {
    if (time < 0 || time > plan.duration) continue;
    const bar = plan.tempo.downbeats.includes(index);
    if (!bar && width / Math.max(plan.tempo.beats.length, 1) < 7) continue;
    context.fillStyle = colour(bar ? "--wave-bar" : "--wave-beat");
    context.fillRect(across(time) - 0.5, bar ? 4 : top + 4, 1, height);
  }
  const energy = plan.tempo.energy || [];
  context.strokeStyle = colour("--wave-energy");
  context.lineWidth = 2;
  context.lineJoin = "round";
  context.beginPath();
  plan.tempo.beats.forEach((time, index) => context.lineTo(across(time), height - 3 - (height - top - 6) * (energy[index] ?? 0.5)));
  context.stroke();
  if (!piece) return;
  const long = heardPlan?.duration || piece.duration;
  const { peaks } = piece;
  const step = Math.max(3, width / peaks.length);
  context.fillStyle = colour("--wave");
  for (let x = 0; x < across(Math.min(long, plan.duration)); x += step) {
    const first = Math.floor((x / across(long)) * peaks.length);
    const last = Math.max(Math.floor(((x + step) / across(long)) * peaks.length), first + 1);
    const peak = Math.max(0.02, ...peaks.slice(first, last));
    context.beginPath();
    context.roundRect(x, middle - peak * tall, Math.max(step - 1.2, 1.5), 2 * peak * tall, 1);
    context.fill();
  }
}
