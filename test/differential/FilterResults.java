// What the filters of a real server say, of the cases on its input. One line for each, its texts in Base64: `P name value ...` is a message with these
// properties, `S expression` a filter by SQL92 and `T expression` a filter by tag, which are asked of each message before it. It answers each filter
// with a line: a digit for each message, 1 where it matches, or `rejected`.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.broker.filter.ExpressionMessageFilter;
import org.apache.rocketmq.broker.filter.MessageEvaluationContext;
import org.apache.rocketmq.common.TopicFilterType;
import org.apache.rocketmq.common.filter.ExpressionType;
import org.apache.rocketmq.common.message.MessageExtBrokerInner;
import org.apache.rocketmq.filter.FilterFactory;
import org.apache.rocketmq.filter.expression.Expression;
import org.apache.rocketmq.proxy.common.utils.FilterUtils;
import org.apache.rocketmq.remoting.protocol.filter.FilterAPI;
import org.apache.rocketmq.remoting.protocol.heartbeat.SubscriptionData;

public class FilterResults {
    private interface Filter {
        boolean matches(Map<String, String> properties);
    }

    public static void main(String[] args) throws Exception {
        List<Map<String, String>> messages = new ArrayList<>();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", -1);
            if (words[0].equals("P")) {
                Map<String, String> properties = new HashMap<>();
                for (int at = 1; at + 1 < words.length; at += 2) properties.put(text(words[at]), text(words[at + 1]));
                messages.add(properties);
            } else {
                String expression = text(words[1]);
                System.out.println(results(messages, words[0].equals("S"), expression));
            }
        }
    }

    private static String text(String word) {
        return new String(Base64.getDecoder().decode(word), StandardCharsets.UTF_8);
    }

    private static String results(List<Map<String, String>> messages, boolean isSql, String expression) {
        Filter filter;
        try {
            filter = isSql ? sql(expression) : tags(expression);
        } catch (Throwable rejection) {
            return "rejected";
        }
        StringBuilder all = new StringBuilder();
        for (Map<String, String> properties : messages) all.append(filter.matches(properties) ? '1' : '0');
        return all.toString();
    }

    /** As ExpressionMessageFilter.isMatchedByCommitLog evaluates it: what is no Boolean does not match. */
    private static Filter sql(String expression) throws Exception {
        FilterAPI.build("topic", expression, ExpressionType.SQL92);
        Expression compiled = FilterFactory.INSTANCE.get(ExpressionType.SQL92).compile(expression);
        return properties -> {
            try {
                return Boolean.TRUE.equals(compiled.evaluate(new MessageEvaluationContext(properties)));
            } catch (Throwable incomparable) {
                return false;
            }
        };
    }

    /** The broker compares hashes, the proxy the tags of what is left. */
    private static Filter tags(String expression) throws Exception {
        SubscriptionData subscription = FilterAPI.build("topic", expression, ExpressionType.TAG);
        ExpressionMessageFilter broker = new ExpressionMessageFilter(subscription, null, null);
        return properties -> {
            String tag = properties.get("TAGS");
            long hash = MessageExtBrokerInner.tagsString2tagsCode(TopicFilterType.SINGLE_TAG, tag);
            return broker.isMatchedByConsumeQueue(hash, null) && FilterUtils.isTagMatched(subscription.getTagsSet(), tag);
        };
    }
}
