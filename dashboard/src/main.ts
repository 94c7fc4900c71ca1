import { mount } from "svelte";
import App from "./App.svelte";
import "./style.css";
import { theme } from "./theme.svelte.ts";

theme.apply();
mount(App, { target: document.body });
