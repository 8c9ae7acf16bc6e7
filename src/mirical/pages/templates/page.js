"use strict";
// A box that scrolls sideways must be reached by keyboard; one that does not is no stop on the way.
function markScrolling() {
  for (const box of document.querySelectorAll(".sheet, .drawing")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
addEventListener("load", markScrolling);
addEventListener("resize", markScrolling);
