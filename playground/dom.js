// The two things both panels do to the document.

export function element(tag, className = '', text = '') {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

/** Adds a row at the end of a list of at most `limit`, and follows it unless the reader has scrolled up. */
export function append(list, row, limit) {
  const follow = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.parentElement.querySelector('.nothing')?.remove();
  list.append(row);
  while (list.children.length > limit) list.firstElementChild.remove();
  if (follow) list.scrollTop = list.scrollHeight;
}
