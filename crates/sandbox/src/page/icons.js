// The icons of the phone: lines on a grid of 24.

const PATHS = {
  back: "M15 5l-7 7 7 7",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  keyboard: "M4 6h16v12H4zM7.5 10h.01M11 10h.01M14.5 10h.01M8 14.5h8",
  menu: "M5 8h14M5 12h14M5 16h9",
  plus: "M12 6v12M6 12h12",
  image: "M4 5.5h16v13H4zM4 15.5l4.5-4.5 4 4 2.5-2.5 5 5M15.5 9.5h.01",
  pin: "M12 21c4.5-4.6 6.5-7.9 6.5-11A6.5 6.5 0 0 0 5.500 10c0 3.100 2 6.400 6.500 11zM12 12.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5z",
  scan: "M4 9V4.500h4.500M15.500 4.500H20V9M20 15v4.500h-4.500M8.500 19.500H4V15M4 12h16",
  voice: "M12 4a2.500 2.500 0 0 1 2.500 2.500v5a2.500 2.500 0 0 1-5 0v-5A2.500 2.500 0 0 1 12 4zM6.500 11.500a5.500 5.500 0 0 0 11 0M12 17v3",
  video: "M4 7h11v10H4zM15 11l5-3v8l-5-3",
  link: "M10 14a3.500 3.500 0 0 0 5 0l3-3a3.500 3.500 0 0 0-5-5l-1 1M14 10a3.500 3.500 0 0 0-5 0l-3 3a3.500 3.500 0 0 0 5 5l1-1",
  music: "M9 18V6l10-2v11M9 18a2.500 2.500 0 1 1-5 0 2.500 2.500 0 0 1 5 0zM19 15a2.500 2.500 0 1 1-5 0 2.500 2.500 0 0 1 5 0z",
  play: "M8 5.500v13l11-6.500z",
  program: "M9 17.500a2.500 2.500 0 1 1-2.500-2.500c4 0 2.500-8 7-8A2.700 2.700 0 1 1 16 10",
  door: "M6 20V4h12v16M4 20h16M14.500 12h.01",
  waves: "M8 9.500a4 4 0 0 1 0 5M11 7a7.500 7.500 0 0 1 0 10M14 4.500a11 11 0 0 1 0 15",
  card: "M4 6h16v12H4zM4 10h16",
  globe: "M12 4a8 8 0 1 1 0 16a8 8 0 0 1 0-16zM4 12h16M12 4c2.500 2.200 3.500 5 3.500 8s-1 5.800-3.500 8c-2.500-2.200-3.500-5-3.500-8s1-5.800 3.500-8z",
  close: "M6 6l12 12M18 6L6 18",
  reload: "M18.500 9.500A7 7 0 1 0 19 13M19 5v4.500h-4.500",
  forward: "M9 5l7 7-7 7",
  tab: "M13.500 4.500H19.500V10.500M19.500 4.500L11 13M10 6H5.500v12.500H18V14",
  chat: "M12 5c4.700 0 8 2.800 8 6.500s-3.300 6.500-8 6.500c-1 0-2-.1-2.900-.4L5.500 19l.8-3C4.900 14.800 4 13.300 4 11.500 4 7.800 7.300 5 12 5z",
  timeline: "M12 4.500a7.500 7.500 0 1 1 0 15a7.500 7.500 0 0 1 0-15zM12 9a3 3 0 1 1 0 6a3 3 0 0 1 0-6zM12 4.500l3 6.500M19.500 12l-7 3M12 19.500L9 13M4.500 12l7-3",
  key: "M14.500 9.500a4 4 0 1 1-3.500-4a4 4 0 0 1 3.500 4zM13.500 12.500L20 19M17 16l2-2",
  chevron: "M7 10l5 5 5-5",
  check: "M5 12.500l4.500 4.500L19 7.500",
  alert: "M12 6v8M12 18h.01",
  shop: "M5 10v9h14v-9M4 9l1.500-4h13L20 9M4 9a2.670 2.670 0 0 0 5.330 0a2.670 2.670 0 0 0 5.340 0A2.670 2.670 0 0 0 20 9M10 19v-5h4v5",
};

/** An icon, for the eye only: its button or its text says what it means. */
export function icon(name) {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `glyph glyph-${name}`);
  const path = document.createElementNS(namespace, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
