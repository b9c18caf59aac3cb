// Stored frames to what a canvas draws: JPEG and PNG by the browser, raw numbers and 16-bit depth here.

const MOST_PIXELS = 16 << 20;
const PNG = [0x89, 0x50, 0x4e, 0x47];

/**
 * A picture of a frame.
 * @param {Uint8Array} bytes as they are stored.
 * @param {object} field of the store: shape, dtype, encoding, kind.
 * @param {object} range of depth, {near, far}, widened by what comes.
 * @returns {Promise<ImageBitmap|ImageData>}
 */
export async function picture(bytes, field, range) {
  const [height, width, channels = 1] = field.shape;
  if (field.encoding === "raw") {
    need(width * height);
    return fromNumbers(numbers(bytes, field.dtype), width, height, channels, field, range);
  }
  const size = sizeOf(bytes);
  need(size.width * size.height);
  if (field.kind === "depth" && size.png) {
    const depth = await decodeDepth(bytes, size);
    return fromNumbers(depth, size.width, size.height, 1, field, range);
  }
  return createImageBitmap(new Blob([bytes], { type: size.png ? "image/png" : "image/jpeg" }));
}

function need(pixels) {
  if (!(pixels > 0 && pixels <= MOST_PIXELS)) throw new Error(`a frame of ${pixels} pixels is not drawn`);
}

/** What a JPEG or PNG says of its size: nothing is decoded that says too much. */
function sizeOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length > 33 && PNG.every((each, at) => bytes[at] === each)) {
    return { png: true, width: view.getUint32(16), height: view.getUint32(20), bits: bytes[24], colour: bytes[25], interlaced: bytes[28] };
  }
  let at = 2;
  while (at + 9 < bytes.length && bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[at] === 0xff) {
    const marker = bytes[at + 1];
    if (marker === 0xff || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
      at += marker === 0xff ? 1 : 2;
      continue;
    }
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { png: false, height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    }
    at += 2 + view.getUint16(at + 2);
  }
  throw new Error("this is no JPEG and no PNG");
}

function numbers(bytes, dtype) {
  const { buffer, byteOffset, byteLength } = bytes;
  if (dtype === "uint16") return new Uint16Array(buffer, byteOffset, byteLength >> 1);
  if (dtype === "float32") return new Float32Array(buffer, byteOffset, byteLength >> 2);
  return bytes;
}

/** Grey or RGB numbers as a picture; depth from near (light) to far (dark), where there is none black. */
function fromNumbers(values, width, height, channels, field, range) {
  const image = new ImageData(width, height);
  const { data } = image;
  const depth = field.kind === "depth";
  if (depth) widen(values, range);
  let scale = 1;
  if (field.dtype === "float32") scale = largest(values) <= 1.001 ? 255 : 1;
  const span = 225 / Math.max(range.far - range.near, 1);
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      const value = values[pixel * channels + (channels === 3 ? channel : 0)];
      data[4 * pixel + channel] = depth ? (value ? 255 - (value - range.near) * span : 0) : value * scale;
    }
    data[4 * pixel + 3] = 255;
  }
  return image;
}

function widen(values, range) {
  for (let at = 0; at < values.length; at += 1) {
    const value = values[at];
    if (value && value < range.near) range.near = value;
    if (value > range.far && value < 65535) range.far = value;
  }
}

function largest(values) {
  let most = 0;
  for (let at = 0; at < values.length; at += 1) if (values[at] > most && Number.isFinite(values[at])) most = values[at];
  return most;
}

/** The numbers of a grey PNG of 16 bits; browsers keep only eight of them. Filters by the PNG specification, part 9. */
async function decodeDepth(bytes, size) {
  if (size.bits !== 16 || size.colour !== 0 || size.interlaced) throw new Error("depth as another PNG than 16-bit grey");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts = [];
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = view.getUint32(at);
    if (view.getUint32(at + 4) === 0x49444154) parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const stride = 2 * size.width;
  const packed = await inflate(parts, (stride + 1) * size.height);
  const rows = new Uint8Array(stride * size.height);
  for (let y = 0; y < size.height; y += 1) {
    const filter = packed[y * (stride + 1)];
    for (let x = 0; x < stride; x += 1) {
      const at = y * stride + x;
      const left = x >= 2 ? rows[at - 2] : 0;
      const up = y ? rows[at - stride] : 0;
      const corner = x >= 2 && y ? rows[at - stride - 2] : 0;
      const guess = [0, left, up, (left + up) >> 1, filter === 4 ? paeth(left, up, corner) : 0][filter];
      rows[at] = packed[y * (stride + 1) + 1 + x] + guess;
    }
  }
  const depth = new Uint16Array(size.width * size.height);
  for (let at = 0; at < depth.length; at += 1) depth[at] = (rows[2 * at] << 8) | rows[2 * at + 1];
  return depth;
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [toLeft, toUp, toCorner] = [left, up, corner].map(each => Math.abs(guess - each));
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

/** Inflates, and stops at the length that a picture of this size has. */
async function inflate(parts, length) {
  const reader = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const packed = new Uint8Array(length);
  let place = 0;
  while (place < length) {
    const { value, done } = await reader.read();
    if (done) throw new Error("a PNG that ends early");
    packed.set(value.subarray(0, length - place), place);
    place += value.length;
  }
  reader.cancel().catch(() => {});
  return packed;
}
