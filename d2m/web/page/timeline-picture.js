// The picture behind the timeline: outline of the music, the dancer's energy, beats and bar lines, the loop.

/** Where the outline lies, from the top in pixels of the page: between the numbers of the bars and the sections. */
const TOP = 24;
const BOTTOM = 88;

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
  const middle = (TOP + BOTTOM) / 2;
  const tall = (BOTTOM - TOP) / 2;
  if (player.looping && player.range) {
    context.fillStyle = colour("--wave-loop");
    context.fillRect(across(player.range[0]), 0, across(player.range[1] - player.range[0]), height);
  }
  for (const [index, time] of plan.tempo.beats.entries()) {
    if (time < 0 || time > plan.duration) continue;
    const bar = plan.tempo.downbeats.includes(index);
    if (!bar && width / Math.max(plan.tempo.beats.length, 1) < 7) continue;
    context.fillStyle = colour(bar ? "--wave-bar" : "--wave-beat");
    context.fillRect(across(time) - 0.5, bar ? 4 : TOP, 1, height);
  }
  if (piece)
    outline(context, piece, {
      long: heardPlan?.duration || piece.duration,
      across,
      end: across(plan.duration),
      middle,
      tall,
      colour: colour("--wave"),
    });
  const energy = plan.tempo.energy || [];
  context.strokeStyle = colour("--wave-energy");
  context.lineWidth = 2;
  context.lineJoin = "round";
  context.beginPath();
  plan.tempo.beats.forEach((time, index) =>
    context.lineTo(across(time), BOTTOM - (BOTTOM - TOP) * (energy[index] ?? 0.5)),
  );
  context.stroke();
}

function outline(context, { peaks }, { long, across, end, middle, tall, colour }) {
  const width = across(long);
  const step = Math.max(3, width / peaks.length);
  const loudest = Math.max(...peaks, 0.05);
  context.fillStyle = colour;
  for (let x = 0; x < Math.min(width, end); x += step) {
    const first = Math.floor((x / width) * peaks.length);
    const last = Math.max(Math.floor(((x + step) / width) * peaks.length), first + 1);
    const peak = Math.max(0.02, ...peaks.slice(first, last)) / loudest;
    context.beginPath();
    context.roundRect(x, middle - peak * tall, Math.max(step - 1.2, 1.5), 2 * peak * tall, 1);
    context.fill();
  }
}
