// The default theme, with Mermaid diagrams drawn in the reader's browser. A page without a diagram does not load Mermaid.

import { useData } from 'vitepress';
import DefaultTheme from 'vitepress/theme';
import { defineComponent, h, onMounted, ref, useId, watch } from 'vue';

/** Text wraps, so that a diagram of six participants is still read at the width of a page. */
const sequence = { wrap: true, width: 120, actorMargin: 15, messageFontSize: 15, actorFontSize: 15 };

const Diagram = defineComponent({
  props: { source: { type: String, required: true } },
  setup(props) {
    const { isDark } = useData();
    const id = `diagram-${useId()}`;
    const drawing = ref();
    async function draw() {
      const { default: mermaid } = await import('mermaid');
      mermaid.initialize({
        startOnLoad: false,
        securityLevel: 'strict',
        theme: isDark.value ? 'dark' : 'neutral',
        sequence,
      });
      const { svg } = await mermaid.render(id, props.source);
      drawing.value = svg;
    }
    onMounted(draw);
    watch(isDark, draw);
    // Until it is drawn, and where scripts do not run, its source is there to read.
    return () =>
      drawing.value === undefined ? h('pre', props.source) : h('div', { class: 'diagram', innerHTML: drawing.value });
  },
});

export default {
  extends: DefaultTheme,
  enhanceApp: ({ app }) => void app.component('Diagram', Diagram),
};
