// Keys 1, 2 and 0 answer, a tap enlarges a picture, and an answer waits until both pictures are there.
const form = document.getElementById("vote");
const buttons = [...form.querySelectorAll("button")];
const images = [...form.querySelectorAll("img")];
let sent = false;

function ready() {
  const complete = images.every(image => image.complete);
  buttons.forEach(button => { button.disabled = !complete; });
}

images.forEach(image => {
  image.addEventListener("load", ready);
  image.addEventListener("error", ready);
  image.addEventListener("click", () => image.classList.toggle("large"));
});
ready();

document.addEventListener("keydown", event => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || event.target.tagName === "INPUT") return;
  if (event.key === "Escape") images.forEach(image => image.classList.remove("large"));
  const button = buttons.find(own => own.dataset.key === event.key);
  if (button) button.click();
});

form.addEventListener("submit", event => {
  if (sent) event.preventDefault();
  sent = true;
});
// A page that comes back from the browser's memory may be answered again; the server keeps the first answer.
window.addEventListener("pageshow", () => { sent = false; });
