// Starts Swagger UI on the page at /docs; a file of its own, as the page allows no inline script.
/* global SwaggerUIBundle */
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  // The badge would load a picture from elsewhere.
  validatorUrl: null,
});
